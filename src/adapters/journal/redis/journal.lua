#!lua name=teller_journal_@hash@
-- The journal's steps. Each is one Function: what it checks and what it writes happen together.
--
-- KEYS[1] says on which node of a Cluster it runs; every other key begins with the same `base`
-- ("teller:{p17}:"), whose hash tag they share. KEYS[2] never exists, so that nothing runs while the slot
-- is on its way to another node. Whatever a caller is told has to be confirmed by
-- replicas, also that something is there already: a Function that writes nothing else writes `nudge`,
-- so that the WAIT which follows on the connection covers all that was written before.

local EPOCH_S = 1704067200 -- 2024-01-01, from which positions count
local MICROS_PER_TICK = 62.5
local PARTITIONS = 256
local TOMBSTONE_KEPT_MS = 400 * 24 * 3600 * 1000 -- law 7

local function digits(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function nudge(base)
  redis.call('SET', base .. 'nudge', '')
end

-- Calls the owner, who looks by itself too, only later.
local function ring(base, partition)
  redis.call('PUBLISH', (string.gsub(base, '{p%d+}:$', 'bell')), partition)
end

-- Positions are unique and grow: by time over all partitions, strictly within one. They stay below
-- 2^53 until the year 2093.
local function position_now(partition)
  local time = redis.call('TIME')
  local micros = (tonumber(time[1]) - EPOCH_S) * 1000000 + tonumber(time[2])
  return math.floor(micros / MICROS_PER_TICK) * PARTITIONS + partition
end

local function next_position(base, partition)
  local position = position_now(partition)
  local last = tonumber(redis.call('SET', base .. 'at', digits(position), 'GET') or '0')
  if position <= last then
    position = last + PARTITIONS
    redis.call('SET', base .. 'at', digits(position))
  end
  return position
end

-- What a snapshot begins with. Another release may write it in another order.
local function head(snapshot)
  local position, status, open, review = string.match(snapshot,
    '^{"v":1,"position":(%d+),"status":"([%a_]+)","open":(%a+),"review":(%a+)')
  if position then
    return tonumber(position), status, open == 'true', review == 'true'
  end
  local read = cjson.decode(snapshot)
  return read.position, read.status, read.open, read.review
end

-- When it last changed, by this server's clock.
local function changed_at(snapshot)
  local changed = string.match(snapshot,
    '^{"v":1,"position":%d+,"status":"[%a_]+","open":%a+,"review":%a+,"due":%w+,"changed":(%d+)')
  return tonumber(changed or cjson.decode(snapshot).changed)
end

local function owns(base, epoch, claim)
  local lease = redis.call('HMGET', base .. 'lease', 'epoch', 'claim')
  return lease[1] == epoch and lease[2] == claim
end

-- Whether the list has these records from `at` on, byte for byte.
local function has(list, at, length, args, first)
  local count = #args - first + 1
  if length < at + count then
    return false
  end
  local there = redis.call('LRANGE', list, at, at + count - 1)
  for n = 1, count do
    if there[n] ~= args[first + n - 1] then
      return false
    end
  end
  return true
end

local function keep_member(index, wanted, had, position, name)
  if wanted and not had then
    redis.call('ZADD', index, digits(position), name)
  elseif had and not wanted then
    redis.call('ZREM', index, name)
  end
end

-- Writes records, snapshot and indexes of a step that follows on what is there.
local function write_step(list, base, name, partition, expected, args, first)
  local status, open, review = args[first], args[first + 1] == '1', args[first + 2] == '1'
  local due_in, summary = args[first + 3], args[first + 4]
  -- What has no records has no snapshot.
  local had = expected > 0 and redis.call('HGET', base .. 's', name)
  local position, had_status, had_open, had_review
  if had then
    position, had_status, had_open, had_review = head(had)
  else
    position = next_position(base, partition)
  end
  local length = redis.call('RPUSH', list, unpack(args, first + 5))
  if not had and length > #args - first - 4 then
    -- It goes on from its tombstone, which may not expire under it.
    redis.call('PERSIST', list)
  end
  local now, due = now_ms(), 'null'
  if due_in ~= '' then
    due = digits(now + tonumber(due_in))
  end
  redis.call('HSET', base .. 's', name, string.format(
    '{"v":1,"position":%s,"status":"%s","open":%s,"review":%s,"due":%s,"changed":%s,"summary":',
    digits(position), status, tostring(open), tostring(review), due, digits(now)) .. summary .. '}')
  if had_status ~= status then
    if had_status then
      redis.call('ZREM', base .. 'st:' .. had_status, name)
    end
    redis.call('ZADD', base .. 'st:' .. status, digits(position), name)
  end
  keep_member(base .. 'open', open, had_open, position, name)
  keep_member(base .. 'review', review, had_review, position, name)
  return position
end

-- One step of a transaction.
-- KEYS: its records. ARGV: base, name, partition, epoch, claim (both empty for whoever owns nothing),
-- records there must be, then what write_step takes: status, open, review, milliseconds until it is
-- due, summary, records.
local function append(keys, args)
  local base, name, partition = args[1], args[2], tonumber(args[3])
  local epoch, claim, expected = args[4], args[5], tonumber(args[6])
  local owned = claim ~= ''
  if owned then
    if not owns(base, epoch, claim) then
      return 'fenced'
    end
  elseif expected ~= 0 then
    return 'fenced'
  end
  local length = redis.call('LLEN', keys[1])
  if length ~= expected then
    nudge(base)
    if has(keys[1], expected, length, args, 12) then
      return digits(position_now(partition))
    end
    return expected == 0 and 'exists' or 'conflict'
  end
  if expected == 0 and redis.call('HEXISTS', base .. 'b', name) == 1 then
    nudge(base)
    return 'exists'
  end
  local position = write_step(keys[1], base, name, partition, expected, args, 7)
  if not owned then
    redis.call('ZADD', base .. 'new', digits(position), name)
    ring(base, partition)
  elseif expected > 0 then
    redis.call('ZREM', base .. 'new', name)
    position = math.max(position + PARTITIONS, position_now(partition))
  end
  return digits(position)
end

-- A step that was confirmed once and that this server may have lost: written if it follows exactly on
-- what is there. The truth needs no lease. ARGV as for `append`; the claim only says whether the owner
-- wrote it.
local function restore(keys, args)
  local base, name, partition, expected = args[1], args[2], tonumber(args[3]), tonumber(args[6])
  if redis.call('LLEN', keys[1]) ~= expected then
    nudge(base)
    return 'there'
  end
  local position = write_step(keys[1], base, name, partition, expected, args, 7)
  if expected > 0 then
    redis.call('ZREM', base .. 'new', name)
  elseif args[5] == '' then
    redis.call('ZADD', base .. 'new', digits(position), name)
  end
  return 'restored'
end

-- What an idempotency key stands for. KEYS: the records that its own id would have. ARGV: base, name,
-- binding.
local function bind(keys, args)
  local base, name, binding = args[1], args[2], args[3]
  local bound = redis.call('HGET', base .. 'b', name)
  if bound == binding then
    nudge(base)
    return 'ok'
  end
  if bound or redis.call('EXISTS', keys[1]) == 1 then
    nudge(base)
    return 'exists'
  end
  redis.call('HSET', base .. 'b', name, binding)
  return 'ok'
end

-- Whose a provider's reference is: the first one's that claims it. KEYS: the map. ARGV: base,
-- reference, transaction. Answers whose it is.
local function refer(keys, args)
  local owner = redis.call('HGET', keys[1], args[2])
  if owner then
    nudge(args[1])
    return owner
  end
  redis.call('HSET', keys[1], args[2], args[3])
  return args[3]
end

-- Takes back a reference that an older release filed under a provider that it is not of. KEYS: the map.
-- ARGV: base, reference, transaction. Answers the transaction, whether or not the reference was its own.
local function unrefer(keys, args)
  if redis.call('HGET', keys[1], args[2]) == args[3] then
    redis.call('HDEL', keys[1], args[2])
  else
    nudge(args[1])
  end
  return args[3]
end

-- ---- the inbox ---------------------------------------------------------------------------------------

-- Removes what is kept under a name: only if it is `text`, unless that is empty.
local function remove_kept(base, name, text)
  local kept = redis.call('HGET', base .. 'kept', name)
  if not kept or (text ~= '' and text ~= kept) then
    return 0
  end
  local provider = string.match(name, '^(%Z*)')
  for _, reference in ipairs(cjson.decode(kept).references or {}) do
    redis.call('ZREM', base .. 'for:' .. provider .. '\0' .. reference, name)
  end
  redis.call('HDEL', base .. 'kept', name)
  redis.call('ZREM', base .. 'order', name)
  redis.call('ZREM', base .. 'of:' .. provider, name)
  redis.call('ZREM', base .. 'received', name)
  return 1
end

-- KEYS: what is kept. ARGV: base, provider, name (which begins with the provider), the webhook, when it
-- came, how many may be kept, references that it can be claimed by.
local function keep(keys, args)
  local base, provider, name = args[1], args[2], args[3]
  if redis.call('HEXISTS', keys[1], name) == 1 then
    nudge(base)
    return 'ok'
  end
  if redis.call('ZCARD', base .. 'of:' .. provider) >= tonumber(args[6]) then
    return 'full'
  end
  local position = redis.call('INCR', base .. 'at')
  redis.call('HSET', keys[1], name, args[4])
  redis.call('ZADD', base .. 'order', position, name)
  redis.call('ZADD', base .. 'of:' .. provider, position, name)
  redis.call('ZADD', base .. 'received', args[5], name)
  for n = 7, #args do
    redis.call('ZADD', base .. 'for:' .. provider .. '\0' .. args[n], position, name)
  end
  return 'ok'
end

-- KEYS: what is kept. ARGV: base, then of each webhook its name, and its text or nothing.
local function release(_, args)
  for n = 2, #args, 2 do
    remove_kept(args[1], args[n], args[n + 1])
  end
  nudge(args[1])
  return 'ok'
end

-- KEYS: what is kept. ARGV: base, before when, how many at most. Answers how many.
local function expire(_, args)
  local names = redis.call('ZRANGEBYSCORE', args[1] .. 'received', '-inf', '(' .. args[2],
    'LIMIT', 0, args[3])
  for _, name in ipairs(names) do
    remove_kept(args[1], name, '')
  end
  nudge(args[1])
  return #names
end

-- ---- notes -------------------------------------------------------------------------------------------

-- KEYS: the notes. ARGV: base, name, how many may be there, and the value, if it isn't to be forgotten.
local function note(keys, args)
  local base, name, value = args[1], args[2], args[4]
  if not value then
    redis.call('HDEL', keys[1], name)
    nudge(base)
    return 'ok'
  end
  if redis.call('HEXISTS', keys[1], name) == 0
    and redis.call('HLEN', keys[1]) >= tonumber(args[3]) then
    return 'full'
  end
  redis.call('HSET', keys[1], name, value)
  return 'ok'
end

-- ---- letters -----------------------------------------------------------------------------------------

-- KEYS: the transaction's records. ARGV: base, the letter's name, the letter, how many may wait,
-- partition.
local function post(keys, args)
  local base, name = args[1], args[2]
  if redis.call('EXISTS', keys[1]) == 0 then
    return 'nowhere'
  end
  if redis.call('HEXISTS', base .. 'mail', name) == 1 then
    nudge(base)
    return 'ok'
  end
  if redis.call('HLEN', base .. 'mail') >= tonumber(args[4]) then
    return 'full'
  end
  redis.call('HSET', base .. 'mail', name, args[3])
  redis.call('ZADD', base .. 'mail:order', redis.call('INCR', base .. 'mail:at'), name)
  ring(base, args[5])
  return 'ok'
end

-- KEYS: the transaction's records. ARGV: base, then of each letter its name, and its text or nothing.
local function discard(_, args)
  local base = args[1]
  for n = 2, #args, 2 do
    local name, text = args[n], args[n + 1]
    if text == '' or redis.call('HGET', base .. 'mail', name) == text then
      redis.call('HDEL', base .. 'mail', name)
      redis.call('ZREM', base .. 'mail:order', name)
    end
  end
  nudge(base)
  return 'ok'
end

-- ---- retention ---------------------------------------------------------------------------------------

-- Whether nothing remains to be done for it, by teller or by a person, and it last changed before then.
local function is_ripe(snapshot, before)
  local _, _, open, review = head(snapshot)
  local changed = changed_at(snapshot)
  return not open and not review and changed ~= nil and changed <= before
end

-- What has been finished for long enough. It reads only. An index by the time of the end would cost
-- every transaction a write and more memory than its outcome: what ended so long ago was accepted
-- before that, so the index by acceptance is gone through up to there.
-- KEYS: the snapshots. ARGV: base, status, the position to go on from, milliseconds that it has to be
-- finished for, rows to look at. Answers where to go on ('0' at the end), and the names.
local function ripe(keys, args)
  local before = now_ms() - tonumber(args[4])
  local accepted = math.floor((before - EPOCH_S * 1000) * 1000 / MICROS_PER_TICK) * PARTITIONS
  local rows = redis.call('ZRANGEBYSCORE', args[1] .. 'st:' .. args[2], '(' .. args[3],
    digits(accepted + PARTITIONS), 'WITHSCORES', 'LIMIT', 0, args[5])
  local names, found = {}, { '0' }
  for n = 1, #rows, 2 do
    names[#names + 1] = rows[n]
  end
  if #names == 0 then
    return found
  end
  if #names == tonumber(args[5]) then
    found[1] = digits(tonumber(rows[#rows]))
  end
  for n, snapshot in ipairs(redis.call('HMGET', keys[1], unpack(names))) do
    if snapshot and is_ripe(snapshot, before) then
      found[#found + 1] = names[n]
    end
  end
  return found
end

-- Lets a history go and leaves its tombstone, if nothing has happened meanwhile. The list keeps its
-- length, which is the version: what follows on it is checked as before.
-- KEYS: its records. ARGV: base, name, epoch, claim, version, milliseconds that it has to be finished
-- for, whether the history goes to the stream, the tombstone.
local function trim(keys, args)
  local base, name, version = args[1], args[2], tonumber(args[5])
  if not owns(base, args[3], args[4]) then
    return 'fenced'
  end
  local snapshot = redis.call('HGET', base .. 's', name)
  if not snapshot then
    nudge(base)
    return 'there'
  end
  if redis.call('LLEN', keys[1]) ~= version or not is_ripe(snapshot, now_ms() - tonumber(args[6])) then
    return 'conflict'
  end
  if args[7] == '1' then
    local history = {}
    for _, record in ipairs(redis.call('LRANGE', keys[1], 0, -1)) do
      if record ~= '' then
        history[#history + 1] = record
      end
    end
    redis.call('XADD', base .. 'archive', '*', 'transaction', name, 'version', args[5],
      'history', '[' .. table.concat(history, ',') .. ']')
  end
  redis.call('DEL', keys[1])
  for _ = 2, version do
    redis.call('RPUSH', keys[1], '')
  end
  redis.call('RPUSH', keys[1], args[8])
  redis.call('PEXPIRE', keys[1], digits(TOMBSTONE_KEPT_MS))
  local _, status = head(snapshot)
  redis.call('HDEL', base .. 's', name)
  redis.call('ZREM', base .. 'st:' .. status, name)
  return 'ok'
end

redis.register_function('teller_append_@hash@', append)
redis.register_function('teller_restore_@hash@', restore)
redis.register_function('teller_bind_@hash@', bind)
redis.register_function('teller_refer_@hash@', refer)
redis.register_function('teller_unrefer_@hash@', unrefer)
redis.register_function('teller_keep_@hash@', keep)
redis.register_function('teller_release_@hash@', release)
redis.register_function('teller_expire_@hash@', expire)
redis.register_function('teller_note_@hash@', note)
redis.register_function('teller_post_@hash@', post)
redis.register_function('teller_discard_@hash@', discard)
redis.register_function('teller_ripe_@hash@', ripe)
redis.register_function('teller_trim_@hash@', trim)
