import cliProgress from 'cli-progress';
import stringWidth from 'string-width';
import type { Terminal } from './output.ts';

/** How far something is. */
export interface Progress {
  readonly done: number;
  /** Null: it is not known. */
  readonly total: number | null;
  /** What happened besides, such as failures. */
  readonly note?: string;
}

interface ProgressOptions {
  readonly label: string;
  /** What is counted: `rows`, `bytes`. */
  readonly unit: string;
}

const REDRAWS_PER_SECOND = 8;
const BAR_WIDTH = 24;
const DEFAULT_WIDTH = 80;

/** Progress on a terminal: a bar with rate and remaining time; nothing where nobody looks. */
export class ProgressBar {
  readonly #bar: cliProgress.SingleBar | null;
  readonly #options: ProgressOptions;
  readonly #err: Terminal['err'];
  readonly #startedAt = performance.now();
  #first: number | null = null;
  #last: Progress = { done: 0, total: null };

  constructor({ err }: Pick<Terminal, 'err'>, options: ProgressOptions) {
    this.#options = options;
    this.#err = err;
    this.#bar =
      err.isTTY !== true || process.env.TERM === 'dumb'
        ? null
        : new cliProgress.SingleBar({
            stream: err,
            format: () => this.#line(),
            fps: REDRAWS_PER_SECOND,
            hideCursor: true,
            clearOnComplete: true,
            linewrap: null,
            forceRedraw: true,
            gracefulExit: false,
          });
    this.#bar?.start(1, 0);
  }

  set(progress: Progress): void {
    this.#first ??= progress.done;
    this.#last = progress;
    this.#bar?.update(0);
  }

  /** Removes it from the terminal. */
  stop(): void {
    this.#bar?.stop();
  }

  #line(): string {
    const { done, total, note } = this.#last;
    const { label, unit } = this.#options;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rate = seconds > 0.5 ? (done - (this.#first ?? 0)) / seconds : 0;
    const share = total === null ? null : total === 0 ? 1 : Math.min(1, done / total);
    const eta = share === null || rate <= 0 || total === null ? null : (total - done) / rate;
    const parts = [
      `${formatNumber(done)}${total === null ? '' : ` of ${formatNumber(total)}`} ${unit}`,
      ...(rate > 0 ? [`${formatNumber(Math.round(rate))}/s`] : []),
      ...(eta === null ? [] : [`${formatSeconds(eta)} left`]),
      ...(note ? [note] : []),
    ];
    return fit([label, share, parts], (this.#err.columns ?? DEFAULT_WIDTH) - 1);
  }
}

/** The bar shrinks first, then goes; then what is said last. */
function fit([label, share, parts]: [string, number | null, readonly string[]], width: number): string {
  const percent = share === null ? '' : `${String(Math.floor(share * 100)).padStart(3)} %`;
  for (let kept = parts.length; kept > 0; kept--) {
    const text = [percent, parts.slice(0, kept).join('  ')].filter(Boolean).join('  ');
    const room = width - stringWidth(`${label}    ${text}`);
    if (share !== null && room >= 8) {
      const size = Math.min(BAR_WIDTH, room);
      const filled = Math.round(share * size);
      return `${label}  ${'█'.repeat(filled)}${'░'.repeat(size - filled)}  ${text}`;
    }
    if (room >= 0) return `${label}  ${text}`;
  }
  return (parts[0] ?? '').slice(0, Math.max(0, width));
}

/** With thousands apart, for people. */
export const formatNumber = (value: number): string => value.toLocaleString('en');

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
