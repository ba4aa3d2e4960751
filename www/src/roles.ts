// What item sets are for, and how templates are named.

import type { Role, TemplateSpec } from "./wire/engine";

/** Whether results are reported on sets of a role. */
const IS_REPORTED: Record<Role, boolean> = {
  attribution: false,
  validation: false,
  test: true,
  out_of_distribution: true,
};

export const ROLES = Object.keys(IS_REPORTED) as readonly Role[];

export function isReported(role: Role): boolean {
  return IS_REPORTED[role];
}

/** `name@version`. */
export function templateId(template: TemplateSpec): string {
  return typeof template === "string" ? template : `${template.name}@${template.version}`;
}
