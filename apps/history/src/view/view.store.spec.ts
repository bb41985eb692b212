import { describeStores, openTestStore } from '../testing/store';
import type { OpenStores } from '../store.kind';
import { describeViewStore } from './view.store.contract';
import { describeViewProperties } from './view.store.properties';

describeStores('the view', ({ fresh, propertyRuns }) => {
  const opened: OpenStores[] = [];
  const open = async () => {
    const store = await openTestStore(await fresh());
    opened.push(store);
    return store;
  };
  afterAll(() => Promise.all(opened.map((store) => store.close())));

  describeViewStore(open);
  describeViewProperties(open, propertyRuns);
});
