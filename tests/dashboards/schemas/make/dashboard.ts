// What a dashboard's JSON may hold, put together of Grafana's own types.
//
// The package keeps a panel's options and its fields apart from the panel; here each kind
// of panel has its own. `overrides` may be left out: the package has a default for it.
import type { AnnotationContainer, Dashboard as Source, FieldConfig, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type * as barchart from '@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as gauge from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as histogram from '@grafana/schema/dist/esm/raw/composable/histogram/panelcfg/x/HistogramPanelCfg_types.gen';
import type * as logs from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type * as nodegraph from '@grafana/schema/dist/esm/raw/composable/nodegraph/panelcfg/x/NodeGraphPanelCfg_types.gen';
import type * as piechart from '@grafana/schema/dist/esm/raw/composable/piechart/panelcfg/x/PieChartPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as statetimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Nothing = {};
type Anything = Record<string, unknown>;

// What every query has; the rest is its plugin's.
type Query = { refId: string; hide?: boolean; queryType?: string; datasource?: { type?: string; uid?: string } | null; [key: string]: unknown };

type Fields<Custom> = {
  defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom };
  overrides?: FieldConfigSource['overrides'];
};

type Drawn<Type, Options, Custom> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options?: Options;
  fieldConfig?: Fields<Custom>;
  targets?: Query[];
};

export type Panels = {
  barchart: Drawn<'barchart', barchart.Options, barchart.FieldConfig>;
  bargauge: Drawn<'bargauge', bargauge.Options, Nothing>;
  gauge: Drawn<'gauge', gauge.Options, Nothing>;
  heatmap: Drawn<'heatmap', heatmap.Options, heatmap.FieldConfig>;
  histogram: Drawn<'histogram', histogram.Options, histogram.FieldConfig>;
  logs: Drawn<'logs', logs.Options, Nothing>;
  nodeGraph: Drawn<'nodeGraph', nodegraph.Options, Nothing>;
  piechart: Drawn<'piechart', piechart.Options, piechart.FieldConfig>;
  stat: Drawn<'stat', stat.Options, Nothing>;
  'state-timeline': Drawn<'state-timeline', statetimeline.Options, statetimeline.FieldConfig>;
  table: Drawn<'table', table.Options, table.FieldConfig>;
  text: Drawn<'text', text.Options, Nothing>;
  timeseries: Drawn<'timeseries', timeseries.Options, timeseries.FieldConfig>;
  // The package has no types of this one's options.
  traces: Drawn<'traces', Anything, Nothing>;
};

export type Row = Omit<RowPanel, 'panels'> & { panels: unknown[] };

export type Dashboard = Omit<Source, 'panels' | 'annotations'> & {
  panels?: unknown[];
  annotations?: AnnotationContainer;
};

export type Everything = { dashboard: Dashboard; row: Row; panels: Panels };
