/** Something that is done to a deployment while people talk through it. */
export interface Act {
  name: string;
  /** Whether nobody may notice: a single refusal is then a finding. */
  isOrderly: boolean;
  /** Resolves when everything is ready again. @throws when it does not become so */
  run(): Promise<void>;
}

/** A deployment of parley by the files of this repository, on an engine that is given. */
export interface Deployment {
  /** Brings it up and returns the gateway's address, as `http://host:port`. */
  start(): Promise<string>;
  /** What is not as it should be with what runs, one sentence each. */
  inspect(): Promise<string[]>;
  acts(): Promise<Act[]>;
  /** What those that watch it did not see as they should, after everything that was done, one sentence each. */
  review(): Promise<string[]>;
  /** Shows what the parts said last, after a failure. */
  logs(): Promise<string>;
  /** Ends everything, data included. Returns what did not end as it should. */
  stop(): Promise<string[]>;
}
