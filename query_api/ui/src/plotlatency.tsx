import { useMemo } from 'preact/hooks';
import uPlot from 'uplot';
import { percentile } from './figures.ts';
import { Plot } from './plot.tsx';
import { duration, whole } from './text.ts';
import { color } from './theme.ts';

const FONT = '11px system-ui, sans-serif';
/** A logarithm knows no zero. */
const LEAST_MS = 0.01;

/** The duration below which so many per cent of the rows are. */
export function LatencyPlot({ sorted }: { sorted: number[] }) {
  const data = useMemo<uPlot.AlignedData>(() => {
    const steps = Array.from({ length: 101 }, (_, p) => p);
    return [steps, steps.map((p) => Math.max(LEAST_MS, percentile(sorted, p)))];
  }, [sorted.length, sorted[0], sorted.at(-1), percentile(sorted, 50)]);
  const [low, high] = [Math.max(LEAST_MS, sorted[0] ?? 0), Math.max(LEAST_MS, sorted.at(-1) ?? 0)];
  const options = () => ({
    padding: [8, 8, 0, 0] as uPlot.Padding,
    scales: {
      x: { time: false, range: (): uPlot.Range.MinMax => [0, 100] },
      y: { distr: 3 as const, range: (): uPlot.Range.MinMax => [low * 0.8, Math.max(high * 1.25, low * 4)] },
    },
    axes: [
      {
        ...{ stroke: color('quiet'), font: FONT, size: 26, grid: { show: false }, ticks: { stroke: color('line'), size: 4 } },
        ...{ splits: () => [0, 25, 50, 75, 95], values: (_: uPlot, ticks: number[]) => ticks.map((tick) => `p${tick}`) },
      },
      {
        ...{ stroke: color('quiet'), font: FONT, size: 54, grid: { stroke: color('line'), width: 1 }, ticks: { show: false } },
        splits: () => decades(low, high),
        values: (_: uPlot, ticks: number[]) => ticks.map((tick) => duration(tick).replace(/\.0+ /, ' ')),
      },
    ],
    series: [{}, { stroke: color('accent'), width: 1.5, fill: color('tint'), points: { show: false } }],
    cursor: { show: false },
  });
  const label = `Durations of ${whole(sorted.length)} rows, from ${duration(sorted[0] ?? 0)} to ${duration(sorted.at(-1) ?? 0)}`;
  return <Plot label={label} height={124} options={options} data={data} />;
}

/** Ticks that a person would choose: powers of ten, or finer where there are few. */
function decades(low: number, high: number): number[] {
  const found: number[] = [];
  const wide = Math.log10(high / low) > 1.5;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const one of wide ? [1] : [1, 2, 5]) found.push(one * 10 ** power);
  return found.filter((tick) => tick >= low * 0.8 && tick <= Math.max(high * 1.25, low * 4));
}
