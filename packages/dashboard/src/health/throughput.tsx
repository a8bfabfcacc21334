import { bodyOf, type components } from '@drover/client';
import { useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { number } from '../ui/format.ts';
import { Section } from '../ui/page.tsx';
import { Unloaded } from '../ui/states.tsx';

type Minute = components['schemas']['Throughput']['minutes'][number];

const { throughput: t } = strings;
/** The picture has a bar a minute: it is renewed more often than that, in ms. */
const REFRESH_MS = 10_000;
const [HEIGHT, WIDTH, GAP] = [90, 10, 2];

/** What has finished in the last hour, minute by minute. */
export function Throughput() {
  const drover = useDrover();
  const found = useQuery({
    queryKey: ['throughput'],
    queryFn: async ({ signal }) => (await bodyOf(drover.http.GET('/api/throughput', { signal }))).data,
    refetchInterval: REFRESH_MS,
  });
  if (found.data === undefined)
    return (
      <Section title={t.title}>
        <Unloaded query={found} />
      </Section>
    );
  const { minutes, isCapped } = found.data;
  const sum = (of: 'items' | 'batches' | 'unsuccessful'): number => minutes.reduce((all, each) => all + each[of], 0);
  const most = Math.max(...minutes.map(({ items }) => items));
  const summary = t.summary(sum('items'), sum('batches'), sum('unsuccessful'));
  return (
    <Section title={t.title} tools={<span className="muted small">{t.most(most)}</span>}>
      <p className="figure">{summary}</p>
      <Bars label={summary} minutes={minutes} most={most} />
      <p className="throughput-axis small muted" aria-hidden="true">
        <span>{t.hourAgo}</span>
        <span>{t.now}</span>
      </p>
      {isCapped && <p className="small muted">{t.capped}</p>}
    </Section>
  );
}

function Bars({ minutes, most, label }: { minutes: readonly Minute[]; most: number; label: string }) {
  const height = (items: number): number => (most === 0 ? 0 : (items / most) * HEIGHT);
  return (
    <svg
      aria-label={label}
      className="throughput"
      preserveAspectRatio="none"
      role="img"
      viewBox={`0 0 ${minutes.length * WIDTH} ${HEIGHT}`}
    >
      {minutes.map(({ at, items, unsuccessful }, n) => {
        const [all, bad] = [height(items), height(unsuccessful)];
        const place = { x: n * WIDTH + GAP / 2, width: WIDTH - GAP };
        return (
          <g key={at}>
            <title>{t.minute(new Date(at).toLocaleTimeString([], { timeStyle: 'short' }), number(items))}</title>
            <rect className="throughput-slot" height={HEIGHT} y={0} {...place} />
            <rect className="throughput-good" height={all - bad} y={HEIGHT - all} {...place} />
            <rect className="throughput-bad" height={bad} y={HEIGHT - bad} {...place} />
          </g>
        );
      })}
    </svg>
  );
}
