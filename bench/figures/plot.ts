import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { summarize } from '../../testkit/measure.ts';
import type { Figure } from './figures.ts';
import type { Section } from './report.ts';

const AXES: Readonly<Record<string, string>> = {
  'growth-stored': 'stored resources',
  'growth-batches': 'batches at once',
  'growth-workers': 'worker processes',
  'growth-pending': 'pending items',
};

/** Draws each growth as one SVG: medians, with the least and the most of the rounds. @returns the files. */
export async function writePlots(sections: readonly Section[], folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const { name, measured } of sections) {
    const figures = measured[0]?.figures ?? [];
    const axis = AXES[name];
    const points = figures.filter(({ at }) => at !== undefined);
    if (axis === undefined || points.length === 0) continue;
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${name}.svg`);
    writeFileSync(file, `${await draw(axis, points)}\n`);
    files.push(file);
  }
  return files;
}

async function draw(axis: string, points: readonly Figure[]): Promise<string> {
  const values = points.map((figure) => {
    const { median, min, max } = summarize(figure.values);
    return {
      at: (figure.at ?? 0).toLocaleString('en-US'),
      order: figure.at,
      median,
      min,
      max,
      series: `${figure.series}, ${figure.unit}`,
    };
  });
  const x = { field: 'at', type: 'ordinal' as const, title: axis, sort: { field: 'order' }, axis: { labelAngle: 0 } };
  const panel = {
    width: 240,
    height: 160,
    layer: [
      {
        mark: { type: 'line' as const, point: true },
        encoding: { x, y: { field: 'median', type: 'quantitative' as const, title: null, scale: { zero: true } } },
      },
      {
        mark: { type: 'rule' as const, opacity: 0.5 },
        encoding: { x, y: { field: 'min', type: 'quantitative' as const }, y2: { field: 'max' } },
      },
    ],
  };
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: { field: 'series', type: 'nominal', title: null, sort: null },
    columns: 3,
    spec: panel,
    resolve: { scale: { y: 'independent' } },
  };
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
