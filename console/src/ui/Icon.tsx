// Line icons on a 20-unit grid, drawn in the text's colour.

const PATHS = {
  overview: 'M3 4h6v5H3zM11 4h6v3h-6zM11 9h6v7h-6zM3 11h6v5H3z',
  tags: 'M3 5h14M3 10h14M3 15h14M6 3.500v3M12 8.500v3M8 13.500v3',
  trend: 'M3 3v14h14M5.5 13l3-4 3 2.5 4.5-6.5',
  devices: 'M3 5h14v7H3zM7 16h6M10 12v4M6 8.500h.01M9 8.500h5',
  broker:
    'M10 11.700a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.400zM6.3 13.700a5.2 5.2 0 0 1 0-7.400M13.7 6.300a5.2 5.2 0 0 1 0 7.400M3.7 16.300a8.9 8.9 0 0 1 0-12.600M16.3 3.700a8.9 8.9 0 0 1 0 12.600',
  server: 'M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.500h.01M6.5 13.500h.01M11 6.500h3M11 13.500h3',
  identify: 'M4 4h4M4 4v4M16 4h-4M16 4v4M4 16h4M4 16v-4M16 16h-4M16 16v-4M7 8v4M10 8v4M13 8v4',
  audit: 'M6 3h6l3 3v11H6zM12 3v3h3M8.5 10h4M8.5 13h4',
  access:
    'M7 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM2.5 16c0-3 2-4.5 4.5-4.500s4.5 1.5 4.5 4.500M13 4.500a2.5 2.5 0 0 1 0 4.500M14 11.700c2 .4 3.5 1.8 3.5 4.3',
  search: 'M9 14.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  left: 'M12 4l-6 6 6 6',
  right: 'M8 4l6 6-6 6',
  down: 'M4 7l6 6 6-6',
  up: 'M4 13l6-6 6 6',
  download: 'M10 3v10M6 9.500l4 4 4-4M4 17h12',
  edit: 'M4 16l.8-3.500L13 4.300l2.7 2.7-8.2 8.200zM11.5 5.800l2.7 2.7',
  copy: 'M7 7h9v9H7zM13 7V4H4v9h3',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.7 10.500h7.600L14.5 6M8.5 9v5M11.5 9v5',
  setpoint: 'M10 3v4.5M10 12.5V17M3 10h4.5M12.5 10H17M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  restart: 'M16 10a6 6 0 1 1-2-4.500M16 3v4h-4',
  play: 'M6 4l9 6-9 6z',
  pause: 'M7 4v12M13 4v12',
  eye: 'M2.5 10c2-3.5 4.5-5 7.5-5s5.5 1.5 7.5 5c-2 3.5-4.5 5-7.5 5s-5.5-1.5-7.5-5zM10 12.200a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.400z',
  hidden:
    'M3 3l14 14M6 6c-1.5 1-2.6 2.3-3.5 4 2 3.5 4.5 5 7.5 5 1.5 0 2.8-.4 4-1M8.5 5.100c.5-.1 1-.1 1.5-.1 3 0 5.5 1.5 7.5 5-.6 1-1.3 2-2.1 2.7',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
  sun: 'M10 13.200a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.400zM10 2.500v2M10 15.500v2M2.5 10h2M15.5 10h2M4.7 4.700l1.4 1.400M13.9 13.900l1.4 1.400M4.7 15.300l1.4-1.400M13.9 6.100l1.4-1.4',
  moon: 'M16 11.500A6.5 6.5 0 1 1 8.5 4a5.2 5.2 0 0 0 7.5 7.500z',
  system: 'M3 4h14v9H3zM7 16.500h6M10 13v3.5',
  language: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM3 10h14M10 3c-5 4.5-5 9.5 0 14M10 3c5 4.5 5 9.5 0 14',
  user: 'M10 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c0-3.5 2.5-5.5 6-5.500s6 2 6 5.5',
  warning: 'M10 3.500l7.5 13h-15zM10 8v4M10 14.300v.01',
  check: 'M4 10.500l4 4 8-9',
  paste: 'M7 4H4.500v13h11V4H13M7 3h6v3H7zM7.5 10h5M7.5 13h5',
  tree: 'M4 3v12h5M4 8h5M11 6h6v4h-6zM11 13h6v4h-6z',
  zoomIn: 'M9 14.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4M9 6.500v5M6.5 9h5',
  zoomOut: 'M9 14.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4M6.5 9h5',
  storage: 'M4 5.500c0-1.4 2.7-2.5 6-2.5s6 1.1 6 2.500-2.7 2.5-6 2.500-6-1.1-6-2.500zM4 5.500v9c0 1.4 2.7 2.500 6 2.500s6-1.1 6-2.500v-9M4 10c0 1.400 2.7 2.500 6 2.500s6-1.1 6-2.500',
  query: 'M3 4h14v12H3zM6 8l2.500 2-2.5 2M10.5 12.500h3.5',
  key: 'M7 12.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM10 9.500h7v3M14 9.500v2.5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 2.5 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
