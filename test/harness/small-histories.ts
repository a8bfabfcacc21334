import { type EmbeddedTemporal, startTemporal } from '../../embedded/temporal.ts';

/**
 * A Temporal server that asks its workflows to continue as new after a few events, where a usual one does after 4,096. What
 * tests do there otherwise takes minutes.
 * @param more other limits, by the name of the server's dynamic configuration.
 */
export function startTemporalOfSmallHistories(
  maxEvents: number,
  more: Readonly<Record<string, number>> = {},
): Promise<EmbeddedTemporal> {
  return startTemporal({
    dataDir: null,
    namespace: 'default',
    ui: false,
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': maxEvents, ...more },
    say: () => undefined,
  });
}
