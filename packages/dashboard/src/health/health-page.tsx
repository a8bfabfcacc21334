import { bodyOf, type components } from '@drover/client';
import { useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { duration, number } from '../ui/format.ts';
import { PageHead, Section } from '../ui/page.tsx';
import { Notice, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { Throughput } from './throughput.tsx';

type System = components['schemas']['System'];
type TaskQueue = System['taskQueues'][number];

const { health: t } = strings;
/** In ms. */
const REFRESH_MS = 3_000;

/** The servers, the workers, and what waits for them. */
export function HealthPage() {
  const drover = useDrover();
  const system = useQuery({
    queryKey: ['system'],
    queryFn: async ({ signal }) => (await bodyOf(drover.http.GET('/api/system', { signal }))).data,
    refetchInterval: REFRESH_MS,
  });
  return (
    <>
      <PageHead about={t.about} title={t.title} />
      {system.error && system.data && <Notice error={system.error} />}
      {system.data ? (
        <>
          <Servers system={system.data} />
          <Throughput />
          {system.data.taskQueues.map((queue) => (
            <Queue key={`${queue.name} ${queue.tasks}`} queue={queue} />
          ))}
        </>
      ) : (
        <Unloaded query={system} />
      )}
    </>
  );
}

function Servers({ system: { mongodb, temporal, missing } }: { system: System }) {
  return (
    <div className="tiles">
      <Server name={t.mongodb} state={mongodb} />
      <Server name={t.temporal} state={temporal} />
      {missing.length > 0 && (
        <div className="notice notice-bad" role="alert">
          <p>{t.missing}</p>
          <ul>
            {missing.map((part) => (
              <li key={part}>{part}</li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function Server({ name, state }: { name: string; state: System['temporal'] }) {
  return (
    <div className="card tile">
      <h2>{name}</h2>
      <span className={`badge badge-${state === 'ok' ? 'success' : 'failed'}`}>
        <span aria-hidden="true" className="dot" />
        {t.servers[state]}
      </span>
    </div>
  );
}

function Queue({ queue: { name, tasks, workers, backlog, backlogAgeSeconds, tasksPerSecond } }: { queue: TaskQueue }) {
  return (
    <Section title={t.tasks[tasks]} tools={<span className="muted small mono">{name}</span>}>
      <div className="numbers">
        <Figure name={t.workers} value={number(workers.length)} />
        <Figure
          name={t.backlog}
          note={backlog && backlogAgeSeconds !== null ? t.oldest(duration(backlogAgeSeconds * 1_000)) : undefined}
          value={backlog === null ? t.unknown : number(backlog)}
        />
        <Figure name={t.perSecond} value={tasksPerSecond === null ? t.unknown : t.speed(tasksPerSecond)} />
      </div>
      {workers.length === 0 ? (
        <p className="notice notice-bad">{t.none}</p>
      ) : (
        <ul className="plain workers">
          {workers.map(({ identity, lastSeenAt }, at) => (
            <li key={identity ?? at}>
              <span className="mono">{identity ?? t.hidden}</span>
              <span className="small muted">
                {t.seen} <Moment at={lastSeenAt} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Figure({ name, value, note }: { name: string; value: string; note?: string | undefined }) {
  return (
    <div className="figure-box">
      <span className="small muted">{name}</span>
      <b>{value}</b>
      {note && <span className="small muted">{note}</span>}
    </div>
  );
}
