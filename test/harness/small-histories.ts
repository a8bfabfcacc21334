import { type EmbeddedTemporal, startTemporal } from '../../embedded/temporal.ts';

/**
 * A Temporal server that asks its workflows to continue as new after a few events, where a usual server does so after 4,096. Tests
 * of continue-as-new would otherwise take minutes.
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
