import type { MongoMigration } from '@parley/service';
import { collectionPlans } from '../../view/mongo.documents';

/** The message view. The collections are made what their definitions say, so a later change of them is another migration. */
export const view: MongoMigration = {
  name: '1764000000000-view',
  async up(schema) {
    for (const [name, plan] of await collectionPlans()) await schema.collection(name, plan);
  },
};
