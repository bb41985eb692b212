import type { DynamicModule } from '@nestjs/common';
import type { StoreConfig } from './config';
import type { ViewFeedStore, ViewStore } from './view/view.store';

/** A place where the view can be kept. */
export interface StoreKind {
  /** Exports `ViewStore` and `ViewFeedStore`, and takes part in readiness. */
  module(config: StoreConfig): DynamicModule;
  /** Both halves without an application, for commands and specs. */
  open(config: StoreConfig): Promise<OpenStores>;
  /** Brings it up to date. Any number may do so at once. */
  migrate(config: StoreConfig): Promise<string[]>;
}

export interface OpenStores {
  feed: ViewFeedStore;
  view: ViewStore;
  close(): Promise<void>;
}
