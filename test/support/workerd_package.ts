/**
 * Loads the workerd of npm, 100 MB, and says where it is. A program with a lock file of its own: Deno loads everything that a lock
 * file names, so in that of the repository every user of the command line would load it, too.
 */
const [version] = Deno.args as [string];
const { default: workerd } = await import(`npm:workerd@${version}`);
console.log(workerd.default ?? workerd);
