// Every view, in the order in which the navigation has them. A new one is a module here and a line below.
//
// name: its first word in the address. label, group: its place in the navigation; without them it has none, and `within`
// says under which it counts. ofRun: it looks into a run, which its setting `run` names: its link carries the run that
// is being looked at.

export const GROUPS = ["Train", "Look inside"];
/** What stands at "/". */
export const FIRST = "runs";

export const VIEWS = [
  { name: "runs", label: "Runs", group: "Train", load: () => import("./runs.js") },
  { name: "run", within: "runs", load: () => import("./run.js") },
  { name: "train", label: "New run", group: "Train", load: () => import("./train.js") },
  { name: "compare", label: "Compare", group: "Train", load: () => import("./compare.js") },
  { name: "read", label: "Read a text", group: "Look inside", ofRun: true, load: () => import("./read.js") },
  { name: "write", label: "Write", group: "Look inside", ofRun: true, load: () => import("./write.js") },
  { name: "gates", label: "Gates", group: "Look inside", ofRun: true, load: () => import("./gates.js") },
  { name: "steps", label: "Step by step", group: "Look inside", load: () => import("./steps.js") },
  { name: "gradients", label: "Gradients", group: "Look inside", load: () => import("./gradients.js") },
  { name: "sentences", label: "Sentences", group: "Look inside", load: () => import("./sentences.js") },
  { name: "points", label: "Points", group: "Look inside", load: () => import("./points.js") },
  { name: "forecast", label: "Forecast", group: "Look inside", load: () => import("./forecast.js") },
  { name: "inspect", label: "Diagnostics", group: "Look inside", ofRun: true, load: () => import("./inspect.js") },
];
