/** Refuses a Node.js that is older than package.json's engines. */
export function requireNode(version?: string): void;
