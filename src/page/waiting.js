// The page of a device that waits for the time: nothing but its words.

import { fill } from "./words.js";

fill(document);
