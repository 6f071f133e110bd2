import { amountOf, type EarlierCursor, recordOf } from "./cursor.ts";
import type { Member, TreeState } from "./process_tree.ts";

/** The state of a process tree as JSON. */
export function treeToJson(state: TreeState): Record<string, unknown> {
  const { owed } = state;
  return {
    sinceTicks: `${state.sinceTicks}`,
    members: state.members.map(memberToJson),
    sessions: state.sessions,
    owed: { cpu: `${owed.cpu}`, read: `${owed.read}`, written: `${owed.written}` },
  };
}

function memberToJson(member: Member): Record<string, unknown> {
  const { pid, parent, session, startTicks, ownTicks, waitedTicks, io } = member;
  return {
    ...{ pid, parent, session },
    ...{ start: `${startTicks}`, own: `${ownTicks}`, waited: `${waitedTicks}` },
    ...(io === undefined ? {} : { read: `${io.readBytes}`, written: `${io.writtenBytes}` }),
  };
}

/** @param sinceTicks when the cursor does not say since when the tree is metered */
export function treeFromCursor(cursor: EarlierCursor, sinceTicks: bigint): TreeState {
  const owed = cursor.record("owed");
  const owedOf = (name: string) => amountOf(owed[name]) ?? 0n;
  return {
    sinceTicks: cursor.amount("sinceTicks") ?? sinceTicks,
    members: cursor.list("members").flatMap(memberFromJson),
    sessions: cursor.list("sessions").filter((each) => typeof each === "number"),
    owed: { cpu: owedOf("cpu"), read: owedOf("read"), written: owedOf("written") },
  };
}

function memberFromJson(json: unknown): Member[] {
  const fields = recordOf(json) ?? {};
  const number = (name: string) => (typeof fields[name] === "number" ? fields[name] : undefined);
  const [pid, parent, session] = [number("pid"), number("parent"), number("session")];
  const startTicks = amountOf(fields["start"]);
  const [ownTicks, waitedTicks] = [amountOf(fields["own"]), amountOf(fields["waited"])];
  const [readBytes, writtenBytes] = [amountOf(fields["read"]), amountOf(fields["written"])];
  if (pid === undefined || parent === undefined || session === undefined) return [];
  if (startTicks === undefined || ownTicks === undefined || waitedTicks === undefined) return [];
  const io =
    readBytes === undefined || writtenBytes === undefined ? undefined : { readBytes, writtenBytes };
  return [{ pid, parent, session, startTicks, ownTicks, waitedTicks, isZombie: false, io }];
}
