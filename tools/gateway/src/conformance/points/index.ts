import type { Point } from '../world';
import { authPoints } from './auth';
import { corsPoints } from './cors';
import { exposurePoints } from './exposure';
import { limitPoints } from './limits';
import { realtimePoints } from './realtime';
import { responsePoints } from './response';
import { routingPoints } from './routing';

/** The observed behaviours of Kong that a stand-in must share, in the order of their numbers. */
export const points: Point[] = [
  ...authPoints,
  ...routingPoints,
  ...responsePoints,
  ...limitPoints,
  ...corsPoints,
  ...realtimePoints,
  ...exposurePoints,
];
