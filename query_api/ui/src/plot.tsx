import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { onTheme } from './theme.ts';

interface Props {
  /** What it shows, for those who do not see it. */
  label: string;
  height: number;
  options: () => Omit<uPlot.Options, 'width' | 'height'>;
  data: uPlot.AlignedData;
}

/** uPlot in a box that it fills; drawn anew when the data or the colours are others. */
export function Plot({ label, height, options, data }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const into = box.current;
    if (!into) return;
    let plot: uPlot | null = null;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot({ ...options(), width: Math.max(120, into.clientWidth), height, legend: { show: false } }, data, into);
    };
    draw();
    const watch = new ResizeObserver(() => plot?.setSize({ width: Math.max(120, into.clientWidth), height }));
    watch.observe(into);
    const quiet = onTheme(draw);
    return () => {
      watch.disconnect();
      quiet();
      plot?.destroy();
    };
  }, [data, height]);
  return <div class="plot" role="img" aria-label={label} ref={box} />;
}
