-- Gives the beginning of an entry that its reader could not bring, again and again: it is larger than his patience, or
-- than the server's limit of a reply. It costs the server a moment in which nobody else is served: the last resort.
-- What is no larger than a message is given whole: the reader had bad luck, and its beginning says something else.
-- ARGV: group, id, fields and bytes of the largest message -> beginnings of its texts, how long each is, bytes and fields
--   of the whole; nothing where there is no such entry
local TEXTS_SHOWN, SHOWN = 40, 200
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not entry then return {} end
local texts, bytes, lengths = entry[2], 0, {}
for i, text in ipairs(texts) do bytes, lengths[i] = bytes + #text, #text end
local count = #texts / 2
if count <= tonumber(ARGV[3]) and bytes <= tonumber(ARGV[4]) then return {texts, lengths, bytes, count} end
local shown, lengths_shown = {}, {}
for i = 1, math.min(#texts, TEXTS_SHOWN) do shown[i], lengths_shown[i] = texts[i]:sub(1, SHOWN), lengths[i] end
return {shown, lengths_shown, bytes, count}
