// The page starts here.

import "./figures/figure.js";
import { startShell } from "./shell/shell.js";

startShell();
