/** Where a test file says that its queues are on PostgreSQL, whatever the environment says. */
export const ON_POSTGRES = Symbol.for("holdfast tests on PostgreSQL");
