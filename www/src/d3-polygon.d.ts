// What the page uses of d3-polygon, which comes without types.
declare module "d3-polygon" {
  /** Whether a point lies within a polygon. */
  export function polygonContains(polygon: readonly [number, number][], point: readonly [number, number]): boolean;
}
