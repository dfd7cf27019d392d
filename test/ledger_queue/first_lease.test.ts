import { firstLeaseContract } from "../contract/first_lease_contract.ts";
import { EMBEDDED_PLACES } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) firstLeaseContract(name, withPlace);
