// What the page uses of Observable Plot. It is imported dynamically: no more than this is fetched, and not before a chart is shown.

export { dot, line, plot, pointer, rect, ruleX, ruleY, tip } from "@observablehq/plot";
