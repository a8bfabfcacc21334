import spectral from '@stoplight/spectral-core';
import rulesets from '@stoplight/spectral-rulesets';
import { expect, test } from 'vitest';
import { openApiDocument } from '../../api/app.ts';

test('the OpenAPI document passes the recommended rules of spectral, its warnings included', async () => {
  const linter = new spectral.Spectral();
  linter.setRuleset(new spectral.Ruleset({ extends: [rulesets.oas as never] }));
  const found = await linter.run(JSON.parse(JSON.stringify(openApiDocument())) as Record<string, unknown>);
  expect(found.map(({ code, path, message }) => `${code} at ${path.join('/')}: ${message}`)).toEqual([]);
}, 60_000);
