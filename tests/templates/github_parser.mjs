// GitHub's own reading of workflows and actions: a line for everything that it would refuse.
import { readFileSync } from "node:fs";
import { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow } from "@actions/workflow-parser";
import { parseAction } from "@actions/workflow-parser/actions/index";

async function faults(name) {
  const file = { name, content: readFileSync(name, "utf8") };
  const isAction = name.endsWith("action.yml");
  const { context, value } = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
  if (value && !isAction) await convertWorkflowTemplate(context, value);
  return context.errors.getErrors().map((error) => `${name}: ${error.message}`);
}

async function main() {
  for (const name of process.argv.slice(2)) (await faults(name)).forEach((line) => console.log(line));
}

main();
