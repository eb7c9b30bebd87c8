import react from "@vitejs/plugin-react";
import license from "rollup-plugin-license";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Where a server runs whose data `npm run dev` shows. */
const server = process.env["LOOKBACK_URL"] ?? "http://127.0.0.1:4000";

export default defineConfig({
  base: "/ui/",
  plugins: [react()],
  build: {
    // Inside the crate that serves it, so that the package of the crate has it.
    outDir: fileURLToPath(new URL("../crates/lookback-server/page", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own: the policy of the page allows neither inline scripts nor data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      plugins: [
        license({
          thirdParty: {
            allow: { test: "(MIT OR ISC OR Apache-2.0 OR BSD-2-Clause OR BSD-3-Clause)", failOnUnlicensed: true, failOnViolation: true },
            output: fileURLToPath(new URL("../crates/lookback-server/page/licenses.txt", import.meta.url)),
          },
        }),
      ],
    },
  },
  // Those in `tests/` need a browser and a server. Clocks of this zone change twice a year.
  test: { include: ["src/**/*.test.ts"], env: { TZ: "Europe/Berlin" } },
  server: { proxy: { "/api": server, "/health": server, "/metrics": server } },
});
