import { useMemo, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { Plot } from './plot.tsx';
import { color } from './theme.ts';
import { clock, day, short, whole } from './text.ts';
import type { Timeline } from './timeline.ts';

const FONT = '11px system-ui, sans-serif';

/** Bars, one on the other. */
export function ActivityPlot({ timeline, zoom }: { timeline: Timeline; zoom: (from: number, to: number) => void }) {
  const { starts, step, series } = timeline;
  const [at, setAt] = useState<number | null>(null);
  const shown = series.filter((one) => series.length < 3 || one.counts.some((count) => count > 0));
  const data = useMemo(() => stacked(timeline, shown), [timeline]);
  const sums = starts.map((_, n) => series.reduce((sum, one) => sum + (one.counts[n] ?? 0), 0));
  const all = sums.reduce((sum, one) => sum + one, 0);
  const peak = Math.max(...sums);
  const label = `${whole(all)} requests in ${starts.length} steps, at most ${whole(peak)} in one, at ${clock(starts[sums.indexOf(peak)] ?? 0)} UTC`;
  const spans = (starts.at(-1) ?? 0) - (starts[0] ?? 0) > 86_400;
  const options = () => ({
    padding: [8, 8, 0, 0] as uPlot.Padding,
    tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    scales: {
      x: { range: (): uPlot.Range.MinMax => [(starts[0] ?? 0) - step * 0.1, (starts.at(-1) ?? 0) + step * 1.1] },
      y: { range: (_: uPlot, __: number, max: number): uPlot.Range.MinMax => [0, Math.max(4, max * 1.05)] },
    },
    axes: [
      {
        ...{ stroke: color('quiet'), font: FONT, size: 26, space: 64, grid: { show: false }, ticks: { stroke: color('line'), size: 4 } },
        values: (_: uPlot, ticks: number[]) =>
          ticks.map((tick) => (tick % 86_400 === 0 || (spans && step >= 21_600) ? day(tick) : clock(tick, step < 60))),
      },
      {
        ...{ stroke: color('quiet'), font: FONT, size: 44, space: 28, grid: { stroke: color('line'), width: 1 }, ticks: { show: false } },
        values: (_: uPlot, ticks: number[]) => ticks.map((tick) => (Number.isInteger(tick) ? short(tick) : '')),
      },
    ],
    series: [
      {},
      ...[...shown].reverse().map((one) => ({
        ...{ label: one.name, fill: color(`s-${one.name}`), width: 0, points: { show: false } },
        paths: bars(),
      })),
    ],
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    hooks: {
      setCursor: [(plot: uPlot) => setAt(plot.cursor.idx ?? null)],
      setSelect: [
        (plot: uPlot) => {
          if (plot.select.width < 4) return;
          zoom(plot.posToVal(plot.select.left, 'x'), plot.posToVal(plot.select.left + plot.select.width, 'x'));
        },
      ],
    },
  });
  const start = at === null ? undefined : starts[at];
  return (
    <>
      <p class="legend">
        {shown.map((one) => (
          <span key={one.name}>
            <i class={`s-${one.name}`} aria-hidden="true" />
            {one.name} {whole(at === null ? one.counts.reduce((sum, count) => sum + count, 0) : (one.counts[at] ?? 0))}
          </span>
        ))}
        <span class="when">{start === undefined ? '' : `${day(start)} ${clock(start, step < 60)} – ${clock(start + step, step < 60)}`}</span>
      </p>
      <Plot label={label} height={148} options={options} data={data} />
    </>
  );
}

const bars = () => uPlot.paths.bars?.({ size: [0.86, 40], align: 1 }) ?? null;

/** The highest first, so that the lower ones are drawn over it. */
function stacked({ starts }: Timeline, shown: Timeline['series']): uPlot.AlignedData {
  let below = starts.map(() => 0);
  const sums = shown.map(({ counts }) => (below = below.map((sum, n) => sum + (counts[n] ?? 0))));
  return [starts, ...sums.reverse()];
}
