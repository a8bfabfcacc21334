package durable;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * One commit for all commands that wait for it. A write announces itself, runs, and waits until a commit that began
 * after its end has reached the disk. The first waiting command commits; commands that arrive meanwhile share the next commit.
 */
final class GroupCommit {
    private final Runnable commit;

    /** Held shared by running writes and exclusively by a commit: no commit ever stores half of a command. */
    private final ReadWriteLock gate = new ReentrantReadWriteLock(true);

    /** Number of announced writes. A write that is visible has been announced. */
    private final AtomicLong announced = new AtomicLong();

    private final Object monitor = new Object();
    private volatile long durable;
    private boolean committing;

    GroupCommit(Runnable commit) {
        this.commit = commit;
    }

    /** Runs a command that may write, and returns when its effects, whatever its result, are on the disk. */
    <T> T write(Supplier<T> command) {
        gate.readLock().lock();
        long number = announced.incrementAndGet();
        try {
            return command.get();
        } finally {
            gate.readLock().unlock();
            awaitDurable(number);
        }
    }

    /** Runs a command that only reads, and returns when everything that it can have seen is on the disk. */
    <T> T read(Supplier<T> command) {
        T result = command.get();
        awaitDurable(announced.get());
        return result;
    }

    private void awaitDurable(long number) {
        while (durable < number) {
            synchronized (monitor) {
                if (durable >= number) return;
                if (committing) {
                    waitForTurn();
                    continue;
                }
                committing = true;
            }
            try {
                commitAnnounced();
            } finally {
                synchronized (monitor) {
                    committing = false;
                    monitor.notifyAll();
                }
            }
        }
    }

    private void commitAnnounced() {
        long covered;
        gate.writeLock().lock();
        try {
            covered = announced.get();
            commit.run();
        } finally {
            gate.writeLock().unlock();
        }
        durable = covered;
    }

    private void waitForTurn() {
        try {
            monitor.wait();
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("stopped while a commit was under way", interruption);
        }
    }
}
