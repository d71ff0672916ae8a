// The size of what a browser fetches before the first route is on the screen.
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

export interface SizeOptions {
  /** Largest sum in bytes after gzip; the build fails above it. */
  gzipBytesMax: number;
  /** Lazy modules that the first route loads, as ends of their paths. */
  firstRoute: string[];
}

/** Fails the build when the entry, its imports and the first route's chunks outgrow the limit. */
export function firstRouteSize({ gzipBytesMax, firstRoute }: SizeOptions): Plugin {
  return {
    name: 'first-route-size',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
        const wanted = chunks.filter(
          (chunk) =>
            chunk.isEntry ||
            firstRoute.some((end) => chunk.facadeModuleId?.replaceAll('\\', '/').endsWith(end)),
        );
        if (wanted.length !== firstRoute.length + 1) {
          this.error(
            `of the first route's modules (${firstRoute.join(', ')}) some have no chunk of their own`,
          );
        }
        const files = new Set<string>();
        const visit = (name: string): void => {
          const chunk = bundle[name];
          if (!chunk || files.has(name)) return;
          files.add(name);
          if (chunk.type !== 'chunk') return;
          chunk.imports.forEach(visit);
          chunk.viteMetadata?.importedCss.forEach(visit);
        };
        wanted.forEach((chunk) => visit(chunk.fileName));
        let sum = 0;
        for (const name of files) {
          const file = bundle[name];
          if (file) sum += gzipSync(file.type === 'chunk' ? file.code : file.source, { level: 9 }).length;
        }
        const text = `first route: ${(sum / 1000).toFixed(1)} kB gzipped in ${files.size} files, at most ${gzipBytesMax / 1000} kB`;
        if (sum > gzipBytesMax) this.error(text);
        console.log(text);
      },
    },
  };
}
