import { z } from "zod";

/**
 * Kubernetes quantities, in the one spelling that the API server keeps, so that a preview never shows `2048Mi` against `2Gi`
 * (rules: k8s.io/apimachinery pkg/api/resource, canonical form).
 */

const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi"] as const;

/** An amount of memory or storage, `128Mi`, `2Gi`; returned in canonical form. A binary unit is required, because a bare `2` could be a mistake. */
export const bytes = z
  .string()
  .regex(/^[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi)$/)
  .transform((text) => {
    let unit = binary.findIndex((suffix) => suffix !== "" && text.endsWith(suffix));
    let amount = Number.parseInt(text, 10);
    while (amount % 1024 === 0 && unit < binary.length - 1) {
      amount /= 1024;
      unit += 1;
    }
    return `${amount}${binary[unit] ?? ""}`;
  });

/** An amount of processor time in cores, `500m`, `2`, 1.5; returned in canonical form. */
export const cores = z
  .union([z.string().regex(/^([1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?)$/), z.number()])
  .transform((value) => milliCores(String(value)))
  .refine((milli) => Number.isInteger(milli) && milli > 0 && milli <= 1_000_000)
  .transform((milli) => (milli % 1000 === 0 ? `${milli / 1000}` : `${milli}m`));

/** A canonical quantity in thousandths of a core. */
export function milliCores(quantity: string): number {
  return quantity.endsWith("m") ? Number(quantity.slice(0, -1)) : Math.round(Number(quantity) * 1000 * 1e6) / 1e6;
}

/** A canonical quantity in bytes. */
export function byteCount(quantity: string): number {
  const unit = binary.findIndex((suffix) => suffix !== "" && quantity.endsWith(suffix));
  return Number.parseInt(quantity, 10) * 1024 ** Math.max(unit, 0);
}
