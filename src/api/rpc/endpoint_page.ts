import type { Routes } from "./routes.ts";

/** The page at "/": every method that can be called by GET, with its parameters. */
export function endpointPage(routes: Routes): string {
  const methods = [...routes].filter(([, route]) => route.access === "any");
  methods.sort(([a], [b]) => (a < b ? -1 : 1));
  const plain = methods.filter(([, route]) => Object.keys(route.params).length === 0);
  const others = methods.filter(([, route]) => Object.keys(route.params).length > 0);
  const links = plain.map(([name]) => link(`/${name}`));
  const forms = others.map(([name, route]) => {
    const fields = Object.keys(route.params).map((param) => `${param}=_`);
    return link(`/${name}?${fields.join("&amp;")}`);
  });
  return [
    "<!doctype html><html><head><title>Settled RPC</title></head><body>",
    "<br>Available endpoints:<br>",
    ...links,
    "<br>Endpoints that require arguments:<br>",
    ...forms,
    "</body></html>",
  ].join("\n");
}

function link(address: string): string {
  return `<a href="${address}">${address}</a><br>`;
}
