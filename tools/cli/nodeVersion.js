// Refuses an old Node.js in one clear line. Loaded before anything else, and by make before it installs the packages.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: Node.js ${process.versions.node} is too old\nnext: install Node.js 20.19 or newer`);
  process.exit(1);
}
