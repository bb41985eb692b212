import { controlKeys } from '@parley/contracts';
import type { ControlInbox } from './control';
import type { OwnerAnnouncement } from './wire';

export interface Owner {
  instanceId: string;
  term: number;
  open: boolean;
}

/** Who owns which partition, learnt from announcements: a higher term always wins over a lower one. */
export class OwnerDirectory {
  private readonly owners = new Map<number, Owner>();

  constructor(
    control: ControlInbox,
    private readonly opened: (partition: number) => void,
  ) {
    control.on(controlKeys.owner, (body) => this.hear(body as OwnerAnnouncement));
  }

  /** The owner that takes commands now; undefined while there is none or it is closing. */
  open(partition: number): Owner | undefined {
    const owner = this.owners.get(partition);
    return owner?.open ? owner : undefined;
  }

  /** Forgets an owner whose queue is gone; its partitions are held until somebody announces them. */
  forget(instanceId: string): void {
    for (const owner of this.owners.values()) if (owner.instanceId === instanceId) owner.open = false;
  }

  /** The owner refused this term; it is not asked again under it unless it announces it again. */
  refused(partition: number, term: number): void {
    const owner = this.owners.get(partition);
    if (owner && owner.term <= term) owner.open = false;
  }

  private hear({ instanceId, open, closing }: OwnerAnnouncement): void {
    for (const [key, term] of Object.entries(closing))
      this.learn(Number(key), { instanceId, term, open: false });
    for (const [key, term] of Object.entries(open)) {
      const partition = Number(key);
      if (this.learn(partition, { instanceId, term, open: true })) this.opened(partition);
    }
  }

  private learn(partition: number, next: Owner): boolean {
    const known = this.owners.get(partition);
    if (known && (known.term > next.term || (known.term === next.term && known.open === next.open)))
      return false;
    this.owners.set(partition, next);
    return true;
  }
}
