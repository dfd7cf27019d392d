/**
 * The dashboard and the alerts of docs/ can be read, and name only metrics that /metrics has.
 */
import { assert, assertEquals } from "@std/assert";
import { parse } from "yaml";
import { withApp } from "./fixture.ts";

const DOCS = new URL("../../docs/", import.meta.url);

Deno.test("the dashboard and the alerts name metrics that there are", () =>
  withApp(async ({ app }) => {
    const dashboard = await Deno.readTextFile(new URL("grafana_dashboard.json", DOCS));
    const alerts = await Deno.readTextFile(new URL("prometheus_alerts.yml", DOCS));
    const panels = JSON.parse(dashboard).panels as { targets: { expr: string }[] }[];
    const rules = parse(alerts).groups[0].rules as { alert: string; expr: string }[];
    const exprs = [...panels.flatMap(({ targets }) => targets), ...rules].map(({ expr }) => expr);
    assert(exprs.length > 15, `${exprs.length} expressions`);
    const text = await (await app.request("/metrics")).text();
    const families = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)/gm));
    const known = new Set(
      families.flatMap(([, name, type]) =>
        type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
      ),
    );
    const ofFiles = /_bytes$/;
    const named = exprs.flatMap((expr) => expr.match(/holdfast_\w+/g) ?? []);
    assertEquals(named.filter((name) => !known.has(name) && !ofFiles.test(name)), []);
  }));
