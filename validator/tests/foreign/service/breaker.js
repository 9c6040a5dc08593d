// A circuit breaker by hand, as services have it where no library does what they want.
'use strict';
const knobs = require('./knobs');

/** Whether the last outcomes open it; true is a failure. */
const opens = {
  row: (last) => last.length >= 5 && last.slice(-5).every(Boolean),
  count: (last) => last.length >= 20 && last.filter(Boolean).length * 2 >= last.length,
  none: () => false,
};

class Breaker {
  #call;
  #last = [];
  #until = 0;
  #trying = false;

  /** `call` ends by itself within its deadline. */
  constructor(call) {
    this.#call = call;
  }

  async fire(...args) {
    const trial = this.#until > 0;
    if (trial && (this.#trying || Date.now() < this.#until)) throw Object.assign(new Error('the circuit is open'), { code: 'EOPENBREAKER' });
    this.#trying = trial;
    try {
      const answer = await this.#call(...args);
      this.#settle(trial, false);
      return answer;
    } catch (error) {
      if (trial && knobs.stuckTrial) throw error;
      if (!error.hungUp || knobs.hungUp === 'counted') this.#settle(trial, true);
      else this.#trying = false;
      throw error;
    }
  }

  #settle(trial, failed) {
    if (trial) {
      this.#trying = false;
      this.#last = [];
      this.#until = failed ? Date.now() + knobs.openS * 1000 : 0;
    } else if (this.#until === 0) {
      this.#last = [...this.#last, failed].slice(-20);
      if (opens[knobs.breaker](this.#last)) this.#until = Date.now() + knobs.openS * 1000;
    }
  }
}

/** Ends early when the client hangs up, where that is what calls do. */
function unlessHungUp(call, request) {
  if (knobs.hungUp === 'nothing' || !request) return call;
  const { socket } = request;
  let leave;
  const gone = new Promise((_, fail) => {
    leave = () => fail(Object.assign(new Error('the client is gone'), { hungUp: true }));
    socket.once('close', leave);
  });
  return Promise.race([call, gone]).finally(() => socket.off('close', leave));
}

module.exports = { Breaker, unlessHungUp };
