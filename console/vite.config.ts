import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { firstRouteSize } from './build/size.ts';

// `npm run dev` passes API calls on to a running node.
const node = process.env['WEIR_URL'] ?? 'http://127.0.0.1:7300';

export default defineConfig({
  plugins: [
    react(),
    firstRouteSize({
      gzipBytesMax: 180_000,
      firstRoute: ['src/shell/SignIn.tsx', 'src/pages/overview/OverviewPage.tsx', 'src/i18n/zh-CN.ts'],
    }),
  ],
  build: {
    target: 'es2022',
    // The content-security policy knows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // What every page stands on comes as two files instead of thirty.
            {
              name: 'libraries',
              test: /node_modules\/(react|react-dom|scheduler|@tanstack|wouter|regexparam|i18next|use-sync-external-store)\//,
            },
            {
              name: 'frame',
              test: /src\/(api|format|live|ui|url|csv)\/|src\/i18n\/i18n|src\/shell\/(TopBar|theme)|vite\/preload-helper/,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': node } },
  test: { include: ['src/**/*.test.ts'] },
});
