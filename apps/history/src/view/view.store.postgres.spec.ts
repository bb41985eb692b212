import { openTestStore, type TestStore } from '../testing/store';
import { describeViewStore } from './view.store.contract';
import { describeViewProperties } from './view.store.properties';

const opened: TestStore[] = [];

async function open(): Promise<TestStore> {
  const store = await openTestStore();
  opened.push(store);
  return store;
}

afterAll(() => Promise.all(opened.map((store) => store.close())));

describe('the view in PostgreSQL', () => {
  describeViewStore(open);
  describeViewProperties(open);
});
