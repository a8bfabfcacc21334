/** Icons in a square of 24, drawn in the colour of the text beside them. */
const PATHS = {
  batches: 'M4 6h16M4 12h16M4 18h9',
  imports: 'M12 4v11m0 0-4-4m4 4 4-4M4 19h16',
  upload: 'M12 19V8m0 0-4 4m4-4 4 4M4 4h16',
  data: 'M12 4c4.4 0 8 1.3 8 3s-3.6 3-8 3-8-1.3-8-3 3.6-3 8-3ZM4 7v10c0 1.7 3.6 3 8 3s8-1.3 8-3V7M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  bulk: 'M9 8h11v12H9zM4 16V4h12M12 14l2 2 4-4',
  health: 'M3 12h4l3-8 4 16 3-8h4',
  webhooks: 'M4 6h16v12H4zM4 7l8 6 8-6',
  docs: 'M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h7',
  out: 'M14 5h5v5M19 5l-8 8M11 5H5v14h14v-6',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 13l4 4L19 7',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg aria-hidden="true" className="icon" focusable="false" viewBox="0 0 24 24">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg aria-hidden="true" className="logo" focusable="false" viewBox="0 0 32 32">
      <rect height="32" rx="8" width="32" />
      <path d="M7 9h11M7 16h15M7 23h7" />
      <circle cx="24" cy="23" r="2.6" />
    </svg>
  );
}
