import type { SchemaDefinition } from '@drover/client';
import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Section } from '../ui/page.tsx';
import { NODE, type SchemaLayout, schemaLayout } from './schema-layout.ts';

const { data: t } = strings;
/** A picture is not made smaller than this to fit. */
const LEAST_READABLE = 0.6;
const ZOOM = { step: 1.25, min: 0.3, max: 2 };
/** How far an edge that passes below nodes reaches out before it does, in pixels. */
const BEND = 70;
/** Longest name that fits into a node, in characters. */
const NAME = 18;

/** How schema definitions refer to each other, as a picture that can be zoomed and scrolled. */
export function SchemaGraph({ definitions }: { definitions: readonly SchemaDefinition[] }) {
  const layout = useMemo(() => schemaLayout(definitions), [definitions]);
  const frame = useRef<HTMLElement>(null);
  const [zoom, setZoom] = useState(1);
  useLayoutEffect(() => {
    const width = frame.current?.clientWidth ?? layout.width;
    setZoom(Math.min(1, Math.max(LEAST_READABLE, width / layout.width)));
  }, [layout.width]);
  const change = (factor: number): void => setZoom(Math.min(ZOOM.max, Math.max(ZOOM.min, zoom * factor)));
  return (
    <Section
      title={t.graph}
      tools={
        <span className="zoom">
          <button
            aria-label={t.zoomOut}
            className="button button-small"
            onClick={() => change(1 / ZOOM.step)}
            type="button"
          >
            −
          </button>
          <button className="button button-small" onClick={() => setZoom(1)} type="button">
            <span className="sr-only">{t.fit}: </span>
            {Math.round(zoom * 100)} %
          </button>
          <button aria-label={t.zoomIn} className="button button-small" onClick={() => change(ZOOM.step)} type="button">
            +
          </button>
        </span>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <section aria-label={t.graph} className="graph" ref={frame} tabIndex={0}>
        <svg
          aria-hidden="true"
          height={layout.height * zoom}
          viewBox={`0 0 ${layout.width} ${layout.height}`}
          width={layout.width * zoom}
        >
          <Arrow />
          <Edges layout={layout} />
          {layout.nodes.map((node) => (
            <a
              className={node.isDefined ? 'node' : 'node node-missing'}
              href={to(['data', node.name])}
              key={node.name}
              tabIndex={-1}
            >
              <rect height={NODE.height} rx="10" width={NODE.width} x={node.x} y={node.y} />
              <text x={node.x + NODE.width / 2} y={node.y + NODE.height / 2 + 5}>
                {node.name.length > NAME ? `${node.name.slice(0, NAME - 1)}…` : node.name}
              </text>
              <title>{node.name}</title>
            </a>
          ))}
        </svg>
      </section>
    </Section>
  );
}

function Arrow() {
  return (
    <defs>
      <marker
        id="arrow"
        markerHeight="7"
        markerWidth="7"
        orient="auto-start-reverse"
        refX="9"
        refY="5"
        viewBox="0 0 10 10"
      >
        <path className="arrow" d="M0 0 10 5 0 10z" />
      </marker>
    </defs>
  );
}

function Edges({ layout: { edges } }: { layout: SchemaLayout }) {
  return edges.map((edge) => (
    <path className="edge" d={curve(edge)} key={`${edge.from.name} ${edge.to.name}`} markerEnd="url(#arrow)" />
  ));
}

/** To the right in one sweep, below what is between; backwards, or to itself, around below. */
function curve({ from, to, below }: SchemaLayout['edges'][number]): string {
  const [y1, y2] = [from.y + NODE.height / 2, to.y + NODE.height / 2];
  if (to.x > from.x) {
    const [x1, x2] = [from.x + NODE.width, to.x];
    const [bend, middle] = [BEND, (x1 + x2) / 2];
    if (below === null) return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
    const there = `M${x1} ${y1}C${x1 + bend} ${y1} ${x1 + bend / 3} ${below} ${x1 + bend} ${below}`;
    return `${there}L${x2 - bend} ${below}C${x2 - bend / 3} ${below} ${x2 - bend} ${y2} ${x2} ${y2}`;
  }
  const low = below ?? Math.max(from.y, to.y) + NODE.height + BEND / 3;
  const [x1, x2] = [from.x + NODE.width * 0.75, to.x + NODE.width * 0.25];
  return `M${x1} ${from.y + NODE.height}C${x1} ${low} ${x2} ${low} ${x2} ${to.y + NODE.height}`;
}
