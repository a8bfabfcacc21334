/**
 * Preloaded (`--import`) by a process that is to have a clock which is off: `CLOCK_SHIFT_MS`, in ms, ahead or behind. Plain
 * JavaScript, as threads of the process preload it too, in which tsx is not at work.
 */
const shiftMs = Number(process.env.CLOCK_SHIFT_MS ?? 0);
const real = Date;
const now = () => real.now() + shiftMs;

if (shiftMs !== 0)
  globalThis.Date = new Proxy(real, {
    construct: (target, given, newTarget) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
    apply: () => new real(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
