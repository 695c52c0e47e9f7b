#!lua name=LIBRARY

-- What nodes agree on: leases of partitions, cards of nodes, shares of limits.
-- Every expiry is judged here, by this server's TIME. Times are milliseconds since 1970.

-- No lease lasts longer. An end further away is left over from a clock that was ahead of this one.
local LEASE_MAX_MS = 60000
-- A node that was silent for so long is forgotten.
local CARD_KEPT_MS = 3600000
-- Shares that differ by less are the same.
local GRAIN = 1e-9

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- KEYS: lease. ARGV: node, url, claim, length. Returns whether it was claimed, and the epoch.
local function claim(keys, args)
  local lease, node, length = keys[1], args[1], tonumber(args[4])
  local time = now()
  local known = redis.call('HMGET', lease, 'node', 'until', 'epoch')
  local owner, ends, epoch = known[1], tonumber(known[2]) or 0, tonumber(known[3]) or 0
  if owner and owner ~= '' and owner ~= node and ends > time then
    if ends > time + LEASE_MAX_MS then
      redis.call('HSET', lease, 'until', whole(time + LEASE_MAX_MS))
    end
    return { 0, epoch }
  end
  epoch = epoch + 1
  redis.call('HSET', lease, 'node', node, 'url', args[2], 'epoch', whole(epoch), 'claim', args[3],
    'until', whole(time + length))
  return { 1, epoch }
end

local function is_held(lease, epoch, claimed)
  local known = redis.call('HMGET', lease, 'epoch', 'claim')
  return known[1] == epoch and known[2] == claimed
end

-- KEYS: lease. ARGV: epoch, claim, length. Returns whether it was renewed.
local function renew(keys, args)
  if not is_held(keys[1], args[1], args[2]) then
    return 0
  end
  redis.call('HSET', keys[1], 'until', whole(now() + tonumber(args[3])))
  return 1
end

-- KEYS: lease. ARGV: epoch, claim. Without its claim's id nothing that was sent before can renew it.
local function give_up(keys, args)
  if not is_held(keys[1], args[1], args[2]) then
    return 0
  end
  redis.call('HSET', keys[1], 'node', '', 'url', '', 'claim', '', 'until', '0')
  return 1
end

-- KEYS: nodes. ARGV: node, card. Returns the time, and then id, age and card of each node.
local function announce(keys, args)
  local time = now()
  redis.call('HSET', keys[1], args[1], whole(time) .. ' ' .. args[2])
  local answer = { whole(time) }
  local entries = redis.call('HGETALL', keys[1])
  for i = 1, #entries, 2 do
    local at, card = string.match(entries[i + 1], '^(%d+) (.*)$')
    at = tonumber(at) or 0
    if at > time + 1000 then
      -- Left over from a clock that was ahead of this one: its silence is counted from now on.
      redis.call('HSET', keys[1], entries[i], whole(time) .. ' ' .. card)
      at = time
    end
    if time - at > CARD_KEPT_MS then
      redis.call('HDEL', keys[1], entries[i])
    else
      answer[#answer + 1] = whole(math.max(time - at, 0))
      answer[#answer + 1] = card
    end
  end
  return answer
end

-- KEYS: nodes. ARGV: node.
local function leave(keys, args)
  return redis.call('HDEL', keys[1], args[1])
end

-- KEYS: share. ARGV: node, wanted, length, serial. Returns what was granted. What was asked earlier and
-- arrives later changes nothing.
local function share(keys, args)
  local node, wanted, serial = args[1], tonumber(args[2]), tonumber(args[4])
  local time, others, mine = now(), 0, 0
  local entries = redis.call('HGETALL', keys[1])
  for i = 1, #entries, 2 do
    local part, ends, last = string.match(entries[i + 1], '^(%S+) (%d+) (%d+)$')
    part, ends, last = tonumber(part) or 0, tonumber(ends) or 0, tonumber(last) or 0
    if entries[i] == node then
      if last > serial then
        return entries[i + 1]
      end
    elseif ends <= time then
      redis.call('HDEL', keys[1], entries[i])
    else
      others = others + part
      if ends > time + LEASE_MAX_MS then
        redis.call('HSET', keys[1], entries[i],
          string.format('%.17g %.0f %.0f', part, time + LEASE_MAX_MS, last))
      end
    end
  end
  mine = math.max(math.min(wanted, 1 - others), 0)
  if mine < GRAIN then
    mine = 0
  end
  local granted = string.format('%.17g %.0f %.0f', mine, time + tonumber(args[3]), serial)
  redis.call('HSET', keys[1], node, granted)
  return granted
end

-- They go on when the server has no memory left: what they write is small and replaces itself, and
-- without its leases nobody could even finish what was accepted.
local function register(name, callback)
  redis.register_function { function_name = 'LIBRARY_' .. name, callback = callback, flags = { 'allow-oom' } }
end

register('claim', claim)
register('renew', renew)
register('give_up', give_up)
register('announce', announce)
register('leave', leave)
register('share', share)
