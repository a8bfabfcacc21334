package durable;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * One commit for all commands that wait for it. A write announces itself, runs, and waits until a commit that began
 * after its end has reached the disk. Whoever waits first commits; who arrives meanwhile shares the next one.
 */
final class GroupCommit {
    private final Runnable commit;

    /** Shared by running writes, taken whole by a commit: no commit ever stores one half of a command. */
    private final ReadWriteLock gate = new ReentrantReadWriteLock(true);

    /** Writes announced so far. A write that someone can see has been announced. */
    private final AtomicLong announced = new AtomicLong();

    private final Object turn = new Object();
    private volatile long durable;
    private boolean committing;

    GroupCommit(Runnable commit) {
        this.commit = commit;
    }

    /** Runs a command that may write, and returns when its effects, whatever became of it, are on the disk. */
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

    /** Runs a command that only reads, and returns when all that it can have seen is on the disk. */
    <T> T read(Supplier<T> command) {
        T result = command.get();
        awaitDurable(announced.get());
        return result;
    }

    private void awaitDurable(long number) {
        while (durable < number) {
            synchronized (turn) {
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
                synchronized (turn) {
                    committing = false;
                    turn.notifyAll();
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
            turn.wait();
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("stopped while a commit was under way", interruption);
        }
    }
}
