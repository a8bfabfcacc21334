import type { Batch } from '@drover/client';
import { useNow } from '../live/now.ts';
import { strings } from '../strings.ts';
import { duration } from '../ui/format.ts';
import { Countdown, Moment } from '../ui/time.tsx';

const { batch: t } = strings;

interface Phase {
  readonly name: keyof typeof t.phases;
  readonly ms: number;
}

/** Least share of a phase in the line, so that it can be seen. */
const LEAST_SHARE = 0.02;

/** What is known of the time between acceptance and end: when it started, and what it does now. */
function phasesOf({ createdAt, startedAt, completedAt, status, suspended }: Batch, now: number): Phase[] {
  const created = Date.parse(createdAt);
  const end = completedAt === undefined ? now : Date.parse(completedAt);
  const started = startedAt === undefined ? end : Date.parse(startedAt);
  const isOver = completedAt !== undefined;
  const doing = !isOver && suspended ? 'suspended' : !isOver && status === 'waiting' ? 'waiting' : 'running';
  const queued: Phase = { name: 'queued', ms: Math.max(0, started - created) };
  return startedAt === undefined ? [queued] : [queued, { name: doing, ms: Math.max(0, end - started) }];
}

/** From acceptance to the end, and to the next deadline where items wait. */
export function Timeline({ batch }: { batch: Batch }) {
  const now = useNow();
  const phases = phasesOf(batch, now);
  const total = phases.reduce((sum, { ms }) => sum + ms, 0) || 1;
  return (
    <div className="timeline">
      <div className="timeline-line">
        {phases.map(({ name, ms }) => (
          <div className={`phase phase-${name}`} key={name} style={{ flexGrow: Math.max(LEAST_SHARE, ms / total) }} />
        ))}
      </div>
      <ol className="timeline-legend">
        {phases.map(({ name, ms }) => (
          <li key={name}>
            <span aria-hidden="true" className={`swatch phase-${name}`} />
            {t.phases[name]} <b>{duration(ms)}</b>
          </li>
        ))}
      </ol>
      <dl className="moments">
        <At at={batch.createdAt} name={t.accepted} />
        <At at={batch.startedAt} name={t.started} />
        <At at={batch.pendingUntil} isAhead name={t.nextDeadline} />
        <At at={batch.completedAt} name={t.finished} />
      </dl>
    </div>
  );
}

function At({ name, at, isAhead = false }: { name: string; at: string | undefined; isAhead?: boolean }) {
  if (at === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{isAhead ? <Countdown at={at} /> : <Moment at={at} />}</dd>
    </div>
  );
}
