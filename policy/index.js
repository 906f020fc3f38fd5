// The packages are those of the project's folder.
require("tsx/cjs");
require("./pack.ts");
