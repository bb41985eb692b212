export { examinePanels } from './examine';
export { panelQueries } from './panels';
export { PrometheusQueries } from './query';
