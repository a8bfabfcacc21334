import { type ReactNode, useEffect } from 'react';
import { strings } from '../strings.ts';

/** The head of a page, which is also its title in the browser. */
export function PageHead({ title, about, children }: { title: ReactNode; about?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = typeof title === 'string' ? `${title} · ${strings.product}` : strings.product;
  }, [title]);
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {about && <p className="muted">{about}</p>}
      </div>
      {children && <div className="page-tools">{children}</div>}
    </header>
  );
}

/** A part of a page. */
export function Section({ title, tools, children }: { title: string; tools?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="card">
      <div className="card-head">
        <h2>{title}</h2>
        {tools}
      </div>
      {children}
    </section>
  );
}

/** Names and values. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
