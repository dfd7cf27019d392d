import { argumentsContract } from "../contract/arguments_contract.ts";
import { EMBEDDED_PLACES } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) argumentsContract(name, withPlace);
